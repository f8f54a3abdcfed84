"""What sources tell, as loose rows, and how rows about the same object become one."""
