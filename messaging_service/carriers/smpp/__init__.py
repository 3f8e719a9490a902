"""The SMPP 3.4 carrier: windowed, self-healing binds that acknowledge a receipt only once it is stored."""
