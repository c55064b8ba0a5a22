from .formats import FORMATS as FORMATS
from .formats import default_suffix as default_suffix
from .formats import export as export
from .lowering import Lowered as Lowered
from .lowering import lower as lower
from .lowering import n_numbers as n_numbers
