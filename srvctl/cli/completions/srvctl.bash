# Made by `python -m srvctl.settings.reference`; change the commands, not this file.
# shellcheck shell=bash disable=SC2207 # nothing that is offered has blanks in it but names of files
_srvctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=run flags= words= name
    local commands="run start status ls top reload stop restart upgrade recycle scale worker program why logs events healthcheck check config init migrate explain-proxy doctor rehearse completion version"
    local shared="--app-dir --factory --interface --wsgi-threads --lifespan --root-path --env-file --reset-contextvars --bind --host --port --uds --fd --name --pid-file --pid --backlog --balance --workers --min-workers --max-workers --scale-utilization --scale-in-flight --scale-down-delay --memory-watermark --preload --loop --max-surge --max-requests --limit-max-requests --max-requests-jitter --limit-max-requests-jitter --max-lifetime --max-lifetime-jitter --max-memory --recycle-spacing --user --group --supplementary-group --umask --nice --cpu-affinity --rlimit --oom-score --after --no-new-privs --hang-timeout --timeout-worker-healthcheck --health-path --health-interval --health-timeout --health-threshold --reload-bake --reload --reload-dir --reload-include --reload-exclude --reload-delay --reload-grace --reload-browser --hook-on-boot --hook-pre-fork --hook-post-fork --hook-on-ready --hook-on-drain --hook-on-exit --hook-timeout --timeout-boot --drain-delay --timeout-drain-delay --timeout-graceful-shutdown --timeout-stream-shutdown --timeout-lifespan-shutdown --timeout-keep-alive --timeout-request-head --timeout-drain-idle --timeout-request-body --timeout-write-stall --timeout-linger --timeout-queue --timeout-tls-handshake --timeout-tls-shutdown --limit-request-line-size --limit-request-head-size --h11-max-incomplete-event-size --limit-request-fields --limit-request-body-size --limit-request-body-rate --limit-requests-per-connection --limit-http2-streams --limit-http2-resets --limit-http2-idle-frames --limit-http2-window --limit-request-buffer --limit-response-buffer --limit-unread-body-size --limit-concurrency --limit-concurrency-queue --limit-retry-after --limit-exempt-path --http --server-header --no-server-header --date-header --no-date-header --header --http2 --early-hints --no-early-hints --request-id --ws --ws-max-size --ws-max-queue --ws-max-fragments --ws-max-inflate-ratio --ws-per-message-deflate --ws-ping-interval --ws-ping-timeout --ws-handshake-timeout --ws-close-timeout --ws-drain-spread --broadcast-url --broadcast-queue --broadcast-buffer --broadcast-max-size --proxy-headers --no-proxy-headers --forwarded-allow-ips --forwarded-style --forwarded-fields --proxy-protocol --ssl-certfile --ssl-keyfile --ssl-keyfile-password --ssl-version --ssl-min-version --ssl-ciphers --ssl-cert-reqs --ssl-ca-certs --ssl-sni --ssl-keylog --ssl-reload-interval --log-level --log-config --access-log --no-access-log --access-log-format --access-log-file --use-colors --no-use-colors --log-format --log-file --log-max-size --log-max-age --log-backups --log-buffer --log-keep --log-capture --no-log-capture --ledger-file --ledger-size --control-socket --control-group --console --console-token --console-token-file --console-host --console-quorum --statsd --otlp --metrics-interval --statsd-prefix"
    local IFS=$' \t\n'
    COMPREPLY=()
    # readline has --flag=value as three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for name in $commands; do
        if [[ $name == "${COMP_WORDS[1]}" ]]; then command=$name; fi
    done
    case $command in
        run) flags="$shared -c --config --version -h --help" words="" ;;
        start) flags="$shared -c --config --no-wait --timeout --json -h --help" words="" ;;
        status) flags="-h --help -c --config --name --control-socket --json --timeout" words="" ;;
        ls) flags="-h --help --json --timeout" words="" ;;
        top) flags="-h --help --interval --once -c --config --name --control-socket --json --timeout" words="" ;;
        reload) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="" ;;
        stop) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait --now" words="" ;;
        restart) flags="-h --help -c --config --name --control-socket --json --timeout --now" words="" ;;
        upgrade) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="" ;;
        recycle) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="" ;;
        scale) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="" ;;
        worker) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="list restart stop kill dump]" ;;
        program) flags="-h --help -c --config --name --control-socket --json --timeout --no-wait" words="list start stop restart]" ;;
        why) flags="-n --pid --slot --name -c --config --ledger-file --json -h --help" words="" ;;
        logs) flags="-h --help -f --follow -n --lines --worker -c --config --name --control-socket --json --timeout" words="" ;;
        events) flags="-h --help -f --follow -n -c --config --name --control-socket --json --timeout" words="" ;;
        healthcheck) flags="-h --help --quorum -c --config --name --control-socket --json --timeout" words="" ;;
        check) flags="$shared -c --config --json -h --help" words="" ;;
        config) flags="$shared --origin --changed --running -c --config --json -h --help" words="show diff" ;;
        init) flags="$shared -o --output --force --full --hardened --user-unit -c --config -h --help" words="systemd docker compose kubernetes nginx config" ;;
        migrate) flags="--from --kind -o --output --force --json -h --help" words="" ;;
        explain-proxy) flags="$shared --from -H --scheme --path -c --config --json -h --help" words="" ;;
        doctor) flags="$shared -c --config --json -h --help" words="" ;;
        rehearse) flags="$shared -c --config --act --skip --list --duration --rate --connections --path --send --late --give-up --max-lost --max-failed --max-late --max-p99 --json -h --help" words="" ;;
        completion) flags="-h --help --install" words="bash zsh fish" ;;
        version) flags="-h --help" words="" ;;
    esac
    case $prev in
        --app-dir|--reload-dir) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --interface) COMPREPLY=($(compgen -W "auto asgi3 asgi2 wsgi" -- "$cur")); return ;;
        --wsgi-threads|--root-path|--bind|--host|--port|--fd|--name|--backlog|--min-workers|--max-workers|--scale-utilization|--scale-in-flight|--scale-down-delay|--memory-watermark|--max-surge|--max-requests|--limit-max-requests|--max-requests-jitter|--limit-max-requests-jitter|--max-lifetime|--max-lifetime-jitter|--max-memory|--recycle-spacing|--user|--group|--supplementary-group|--umask|--nice|--rlimit|--oom-score|--after|--hang-timeout|--timeout-worker-healthcheck|--health-path|--health-interval|--health-timeout|--health-threshold|--reload-bake|--reload-include|--reload-exclude|--reload-delay|--reload-grace|--hook-on-boot|--hook-pre-fork|--hook-post-fork|--hook-on-ready|--hook-on-drain|--hook-on-exit|--hook-timeout|--timeout-boot|--drain-delay|--timeout-drain-delay|--timeout-graceful-shutdown|--timeout-stream-shutdown|--timeout-lifespan-shutdown|--timeout-keep-alive|--timeout-request-head|--timeout-drain-idle|--timeout-request-body|--timeout-write-stall|--timeout-linger|--timeout-queue|--timeout-tls-handshake|--timeout-tls-shutdown|--limit-request-line-size|--limit-request-head-size|--h11-max-incomplete-event-size|--limit-request-fields|--limit-request-body-size|--limit-request-body-rate|--limit-requests-per-connection|--limit-http2-streams|--limit-http2-resets|--limit-http2-idle-frames|--limit-http2-window|--limit-request-buffer|--limit-response-buffer|--limit-unread-body-size|--limit-concurrency|--limit-concurrency-queue|--limit-retry-after|--limit-exempt-path|--header|--ws-max-size|--ws-max-queue|--ws-max-fragments|--ws-max-inflate-ratio|--ws-ping-interval|--ws-ping-timeout|--ws-handshake-timeout|--ws-close-timeout|--ws-drain-spread|--broadcast-url|--broadcast-queue|--broadcast-buffer|--broadcast-max-size|--forwarded-allow-ips|--forwarded-fields|--ssl-keyfile-password|--ssl-version|--ssl-ciphers|--ssl-cert-reqs|--ssl-reload-interval|--log-max-size|--log-max-age|--log-backups|--log-buffer|--log-keep|--ledger-size|--control-group|--console-token|--console-host|--console-quorum|--statsd|--otlp|--metrics-interval|--statsd-prefix|--timeout|--interval|-n|--slot|--lines|--worker|--quorum|--kind|-H|--scheme|--path|--act|--skip|--duration|--rate|--connections|--send|--late|--give-up|--max-lost|--max-failed|--max-late|--max-p99) return ;;
        --lifespan|--preload) COMPREPLY=($(compgen -W "auto on off" -- "$cur")); return ;;
        --env-file|--uds|--pid-file|--pid|--ssl-certfile|--ssl-keyfile|--ssl-ca-certs|--ssl-sni|--ssl-keylog|--log-config|--access-log-file|--console|--console-token-file|-c|--config|-o|--output|--from) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --balance) COMPREPLY=($(compgen -W "connections off" -- "$cur")); return ;;
        --workers) COMPREPLY=($(compgen -W "auto" -- "$cur")); return ;;
        --loop) COMPREPLY=($(compgen -W "auto uvloop asyncio none" -- "$cur")); return ;;
        --cpu-affinity) COMPREPLY=($(compgen -W "auto numa" -- "$cur")); return ;;
        --http) COMPREPLY=($(compgen -W "auto native httptools zttp h11" -- "$cur")); return ;;
        --ws) COMPREPLY=($(compgen -W "auto websockets websockets-sansio wsproto none" -- "$cur")); return ;;
        --ws-per-message-deflate) COMPREPLY=($(compgen -W "true false" -- "$cur")); return ;;
        --forwarded-style) COMPREPLY=($(compgen -W "x-forwarded forwarded" -- "$cur")); return ;;
        --proxy-protocol) COMPREPLY=($(compgen -W "off on" -- "$cur")); return ;;
        --ssl-min-version) COMPREPLY=($(compgen -W "TLSv1.2 TLSv1.3" -- "$cur")); return ;;
        --log-level) COMPREPLY=($(compgen -W "critical error warning info debug trace" -- "$cur")); return ;;
        --access-log-format) COMPREPLY=($(compgen -W "uvicorn common combined json" -- "$cur")); return ;;
        --log-format) COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
        --log-file) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -W $'syslog\njournald' -- "$cur")); return ;;
        --ledger-file|--control-socket) IFS=$'\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -W $'auto\nnone' -- "$cur")); return ;;
    esac
    if [[ $cur == -* ]]; then
        if [[ $COMP_CWORD == 1 ]]; then flags="$flags --help --version"; fi
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
        return
    fi
    if [[ $COMP_CWORD == 1 ]]; then words=$commands; fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    if [[ $command == run && $prev != : ]]; then
        # An application begins with its module, and there is more to type behind it.
        for name in "$cur"*.py; do
            if [[ -f $name ]]; then COMPREPLY+=("${name%.py}:"); fi
        done
    fi
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _srvctl srvctl
