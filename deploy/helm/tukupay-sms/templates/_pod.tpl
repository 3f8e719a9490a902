{{/* What pods have in common. */}}

{{- define "tukupay-sms.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "tukupay-sms.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where a pod may run. Gets root, name, values. */}}
{{- define "tukupay-sms.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpread }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "tukupay-sms.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{- define "tukupay-sms.databaseCaVolume" -}}
{{- if eq .Values.database.tls.mode "verify-full" }}
- name: database-ca
  {{- if .Values.database.tls.existingConfigMap }}
  configMap:
    name: {{ .Values.database.tls.existingConfigMap }}
  {{- else }}
  secret:
    secretName: {{ include "tukupay-sms.databaseCaSecret" . }}
    defaultMode: 0440
  {{- end }}
    items:
      - key: {{ .Values.database.tls.key }}
        path: ca.crt
{{- end }}
{{- end -}}

{{- define "tukupay-sms.databaseCaSecret" -}}
{{- if .Values.database.tls.existingSecret -}}
{{- .Values.database.tls.existingSecret -}}
{{- else if .Values.cnpg.enabled -}}
{{- printf "%s-ca" (include "tukupay-sms.cnpgName" .) -}}
{{- else -}}
{{- printf "%s-database-ca" (include "tukupay-sms.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "tukupay-sms.tlsVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end -}}

{{- define "tukupay-sms.componentVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.tmpSizeLimit }}
{{- with include "tukupay-sms.secretFiles" . | fromYamlArray }}
{{ include "tukupay-sms.secretsVolume" (dict "volume" "secrets" "files" .) }}
{{- end }}
{{- if ne .root.Values.tls.mode "proxy" }}
{{ include "tukupay-sms.tlsVolume" (dict "volume" "tls" "secret" (include "tukupay-sms.tlsSecret" .)) }}
{{- end }}
{{- if eq .name "gateway" }}
{{- if eq .values.http.tls "certificate" }}
{{ include "tukupay-sms.tlsVolume" (dict "volume" "http-tls" "secret" (include "tukupay-sms.httpSecret" .)) }}
{{- end }}
{{- else }}
{{- include "tukupay-sms.databaseCaVolume" .root }}
{{- end }}
{{- if or (ne .name "gateway") .root.Values.access.issuers }}
- name: access
  configMap:
    name: {{ include "tukupay-sms.fullname" .root }}-access
{{- end }}
{{- if and (eq .name "messaging") .values.carriers }}
- name: carriers
  configMap:
    name: {{ include "tukupay-sms.componentName" . }}-carriers
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tukupay-sms.componentMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "tukupay-sms.secretFiles" . | fromYamlArray }}
- name: secrets
  mountPath: /etc/tukupay-sms/secrets
  readOnly: true
{{- end }}
{{- if ne .root.Values.tls.mode "proxy" }}
- name: tls
  mountPath: /etc/tukupay-sms/tls
  readOnly: true
{{- end }}
{{- if and (eq .name "gateway") (eq .values.http.tls "certificate") }}
- name: http-tls
  mountPath: /etc/tukupay-sms/http-tls
  readOnly: true
{{- end }}
{{- if and (ne .name "gateway") (eq .root.Values.database.tls.mode "verify-full") }}
- name: database-ca
  mountPath: /etc/tukupay-sms/database-ca
  readOnly: true
{{- end }}
{{- if or (ne .name "gateway") .root.Values.access.issuers }}
- name: access
  mountPath: /etc/tukupay-sms/access
  readOnly: true
{{- end }}
{{- if and (eq .name "messaging") .values.carriers }}
- name: carriers
  mountPath: /etc/tukupay-sms/carriers
  readOnly: true
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Probes ask the listener that is for them alone. The first one is patient: a service waits for its schema. */}}
{{- define "tukupay-sms.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: probes}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: {{ div (int .values.startupSeconds) 2 }}
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}
