"""Runs mutmut without the mutants that only reword a message: no law speaks of the wording of an error.

Left out are texts with a space in them, and the third argument of `ConfigError`, its reason in words; the parameter
and the value that an error names are mutated like everything else.
"""

import libcst as cst
from mutmut.mutation import mutators


def quiet(operator):
    """The operator, without what it would only reword."""

    def strings(node):
        return () if isinstance(node, cst.SimpleString) and " " in node.value else operator(node)

    def arguments(node):
        worded = isinstance(node.func, cst.Name) and node.func.value == "ConfigError" and len(node.args) == 3
        for mutant in operator(node):
            if not worded or (len(mutant.args) == 3 and mutant.args[2] is node.args[2]):
                yield mutant

    return {"operator_string": strings, "operator_arg_removal": arguments}.get(operator.__name__, operator)


mutators.mutation_operators[:] = [(kind, quiet(operator)) for kind, operator in mutators.mutation_operators]

if __name__ == "__main__":
    from mutmut.__main__ import cli

    cli()
