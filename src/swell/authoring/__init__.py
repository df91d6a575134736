"""How a flow is declared: the flow object, decorators, parameters, parsing and checks."""
