from .model import model_data as model_data
from .model import write_model_report as write_model_report
from .sweep import sweep_data as sweep_data
from .sweep import write_sweep_report as write_sweep_report
