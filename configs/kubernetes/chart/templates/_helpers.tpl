{{/* What everything is called. */}}
{{- define "srvctl.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* What pods are found by: it never changes. */}}
{{- define "srvctl.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "srvctl.labels" -}}
{{ include "srvctl.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.image.tag | trunc 63 | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{/* The settings: those of the values, and where to listen unless they say so. */}}
{{- define "srvctl.settings" -}}
{{- $ports := .Values.ports -}}
{{- $everywhere := "^(0\\.0\\.0\\.0|\\[::\\])?:%d$" -}}
{{- $given := .Values.config.server | default dict -}}
{{- range $key := list "host" "port" "uds" "fd" -}}
{{- if hasKey $given $key -}}
{{- fail (printf "config.server.%s: the container listens on ports.http; give that, or config.server.bind" $key) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $given "bind" -}}
{{- $wanted := printf $everywhere (int $ports.http) -}}
{{- $found := false -}}
{{- range kindIs "slice" $given.bind | ternary $given.bind (list $given.bind) -}}
{{- $found = or $found (regexMatch $wanted .) -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "config.server.bind: the Service leads to ports.http; name :%d there, or change ports.http" (int $ports.http)) -}}
{{- end -}}
{{- end -}}
{{- with dig "console" "bind" "" .Values.config -}}
{{- if not (regexMatch (printf $everywhere (int $ports.console)) .) -}}
{{- fail (printf "config.console.bind: the probes ask ports.console; write :%d there, or change ports.console" (int $ports.console)) -}}
{{- end -}}
{{- end -}}
{{- $server := dict "name" (include "srvctl.name" .) "bind" (list (printf ":%d" (int $ports.http))) -}}
{{- $console := dict "bind" (printf ":%d" (int $ports.console)) -}}
{{- toYaml (mergeOverwrite (dict "server" $server "console" $console) (deepCopy .Values.config)) -}}
{{- end -}}

{{/* The seconds of a duration as srvctl reads it: a number, or a text such as 1.5s, 500ms, 2m. */}}
{{- define "srvctl.seconds" -}}
{{- if kindIs "string" . -}}
{{- $units := dict "ms" 0.001 "" 1.0 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- $text := trim . -}}
{{- mulf (float64 (regexFind "^[0-9.]+" $text)) (get $units (regexFind "[a-z]*$" $text)) -}}
{{- else -}}
{{- float64 . -}}
{{- end -}}
{{- end -}}

{{/*
How long the kubelet waits after SIGTERM: drain_delay, graceful_shutdown and lifespan_shutdown together, what the programs
may take if they end one after the other, and ten seconds for what nobody counts. Less cuts requests off.
*/}}
{{- define "srvctl.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- $timeouts := .Values.config.timeouts | default dict -}}
{{- $sum := 10.0 -}}
{{- range $key, $default := dict "drain_delay" 0 "graceful_shutdown" 30 "lifespan_shutdown" 10 -}}
{{- $given := hasKey $timeouts $key | ternary (get $timeouts $key) $default -}}
{{- $sum = addf $sum (include "srvctl.seconds" $given | float64) -}}
{{- end -}}
{{- range .Values.config.program -}}
{{- $given := hasKey . "stop_timeout" | ternary .stop_timeout 10 -}}
{{- $sum = addf $sum (include "srvctl.seconds" $given | float64) -}}
{{- end -}}
{{- ceil $sum | int -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* Probes until a start has taken too long: timeouts.boot, hooks.timeout and ten seconds, one every two seconds. */}}
{{- define "srvctl.startupProbes" -}}
{{- $timeouts := .Values.config.timeouts | default dict -}}
{{- $hooks := .Values.config.hooks | default dict -}}
{{- $boot := include "srvctl.seconds" (hasKey $timeouts "boot" | ternary $timeouts.boot 60) | float64 -}}
{{- $hook := include "srvctl.seconds" (hasKey $hooks "timeout" | ternary $hooks.timeout 10) | float64 -}}
{{- ceil (divf (addf $boot $hook 10.0) 2.0) | int -}}
{{- end -}}
