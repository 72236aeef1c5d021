"""How good outputs are: each is compared with the true picture."""
