"""The gRPC face of the pricing service; generated messages end here."""
