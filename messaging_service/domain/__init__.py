"""What messages, outcomes and money are; pure, standard library only."""
