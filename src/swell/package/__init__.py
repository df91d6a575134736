"""What travels to tasks on other machines: the script's files, and layers of packages."""
