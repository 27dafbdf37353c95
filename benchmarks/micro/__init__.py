"""What single parts cost, in microseconds: the whole is measured by the comparison with other servers."""
