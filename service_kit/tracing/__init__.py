"""Traces of requests: our own thin layer, with the OpenTelemetry SDK behind it where tracing is on."""
