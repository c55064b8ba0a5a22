from .choosing import LayerCompression as LayerCompression
from .compress import Compression as Compression
from .compress import compress as compress
