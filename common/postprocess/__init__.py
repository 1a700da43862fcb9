"""Fix what a model wrote by named rules, and measure what each rule is worth on dev."""
