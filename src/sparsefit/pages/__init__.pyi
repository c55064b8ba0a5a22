from .model import model_data as model_data
from .model import write_model_report as write_model_report
from .report import Page as Page
from .report import report as report
from .sweep import sweep_data as sweep_data
from .sweep import write_sweep_report as write_sweep_report
