"""An MCP server that implements the mutation-approval profile v0 (binding T), written from its specification alone."""

__version__ = "0.1.0"
