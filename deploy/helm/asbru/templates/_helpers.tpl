{{- define "asbru.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "asbru.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "asbru.labels" -}}
{{ include "asbru.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "asbru.peers" -}}
{{ include "asbru.fullname" . }}-peers
{{- end -}}

{{/* Whether relays find each other through the API, and so need a token for it. */}}
{{- define "asbru.usesApi" -}}
{{- with .Values.config.driver -}}
{{- if and (eq .name "kubernetes") (not .dns) (not .peers) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* asbru.yaml: as given, with the headless Service for relays that find each other by one. */}}
{{- define "asbru.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (include "asbru.usesApi" .) (not $config.driver.service) -}}
{{- $_ := set $config.driver "service" (include "asbru.peers" .) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The wait for load balancers, the drain, and some time to end. */}}
{{- define "asbru.gracePeriod" -}}
{{- $drainMs := .Values.config.drainMs | default 5000 | int -}}
{{- add .Values.preStopSeconds (div (add $drainMs 999) 1000) 10 -}}
{{- end -}}

{{- define "asbru.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
      optional: {{ .optional }}
{{- end -}}
