"""TLS: which certificate a client is shown, who may connect, and how new files are taken up.

    context.py     settings and files to a context, or one sentence about what is wrong
    names.py       the certificate for a name
    reloading.py   the context the event loop holds, and the watch over its files
    certificate.py what a certificate says of itself
    extension.py   what the application is told about its connection

Only the standard library's ssl. Must know nothing of HTTP.
"""
