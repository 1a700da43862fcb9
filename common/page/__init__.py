"""Write one self-contained HTML page of a competition's runs, submissions and examples."""
