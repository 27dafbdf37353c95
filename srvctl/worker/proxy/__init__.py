"""Which proxies are believed, and what a request becomes by what they say."""
