{{/* Names and labels. A component's templates get a dictionary: root (the chart's), name, and values of the component. */}}

{{- define "tukupay-sms.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tukupay-sms.componentName" -}}
{{- printf "%s-%s" (include "tukupay-sms.fullname" .root) .name -}}
{{- end -}}

{{/* What selects the pods of a component. Labels of what runs must never gain or lose one of these. */}}
{{- define "tukupay-sms.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "tukupay-sms.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "tukupay-sms.selector" . }}
app.kubernetes.io/part-of: tukupay-sms
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* name, namespace, labels and annotations of an object. Optional: objectName in place of the component's, annotations. */}}
{{- define "tukupay-sms.metadata" -}}
name: {{ default (include "tukupay-sms.componentName" .) .objectName }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "tukupay-sms.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tukupay-sms.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "tukupay-sms.serviceAccountName" -}}
{{- default (include "tukupay-sms.componentName" .) .values.serviceAccount.name -}}
{{- end -}}

{{/* The URI that a component shows in its certificate. */}}
{{- define "tukupay-sms.spiffeId" -}}
{{- printf "spiffe://%s/ns/%s/sa/%s" .root.Values.access.trustDomain .root.Release.Namespace (include "tukupay-sms.serviceAccountName" .) -}}
{{- end -}}

{{/* Where clients find a component: the headless names of pricing and messaging lead to each pod. */}}
{{- define "tukupay-sms.target" -}}
{{- printf "dns:///%s:%d" (include "tukupay-sms.componentName" .) (int .root.Values.ports.grpc) -}}
{{- end -}}

{{/* Secrets, which are made by somebody else; the chart knows their names. */}}
{{- define "tukupay-sms.tlsSecret" -}}
{{- default (printf "%s-tls" (include "tukupay-sms.componentName" .)) .values.tls.existingSecret -}}
{{- end -}}

{{- define "tukupay-sms.databaseSecret" -}}
{{- default (printf "%s-database" (include "tukupay-sms.componentName" .)) .values.database.existingSecret -}}
{{- end -}}

{{- define "tukupay-sms.ownerSecret" -}}
{{- default (printf "%s-owner" (include "tukupay-sms.componentName" .)) .values.database.ownerSecret -}}
{{- end -}}

{{- define "tukupay-sms.httpSecret" -}}
{{- default (include "tukupay-sms.tlsSecret" .) .values.http.existingSecret -}}
{{- end -}}

{{- define "tukupay-sms.smppSecret" -}}
{{- default (printf "%s-smpp" (include "tukupay-sms.componentName" .)) .values.smpp.existingSecret -}}
{{- end -}}

{{- define "tukupay-sms.tokenSecret" -}}
{{- default (printf "%s-token" (include "tukupay-sms.componentName" .)) .values.token.existingSecret -}}
{{- end -}}

{{/* Whether a part that needs an API of somebody else is rendered: "true", or nothing. Gets root, api (group/version),
     and kind. The value that switches the part on is asked before. */}}
{{- define "tukupay-sms.hasApi" -}}
{{- $known := or (.root.Capabilities.APIVersions.Has .api) (.root.Capabilities.APIVersions.Has (printf "%s/%s" .api .kind)) -}}
{{- if or $known (eq .root.Values.missingApis "render") -}}
true
{{- else if eq .root.Values.missingApis "fail" -}}
{{- fail (printf "the cluster does not know %s of %s: install what serves it, or switch the part off" .kind .api) -}}
{{- end -}}
{{- end -}}
