from .formats import FORMATS as FORMATS
from .formats import default_suffix as default_suffix
from .formats import export as export
