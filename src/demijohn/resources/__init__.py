"""ACT: operations that are statements on a model."""

from demijohn.resources.bind import Bindings, Resources
from demijohn.resources.functions import ModelResource

__all__ = ["Bindings", "ModelResource", "Resources"]
