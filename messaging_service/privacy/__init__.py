"""What keeps messages private: keys of texts, their retention, and the erasure of phones."""
