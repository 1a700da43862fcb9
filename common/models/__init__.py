"""Models: build small ones, load pretrained ones, add adapters, and save to or load from a run's folder."""

from common.models.adapters import LoRAConfig as LoRAConfig
from common.models.adapters import add_lora as add_lora
from common.models.pretrained import PretrainedConfig as PretrainedConfig
from common.models.pretrained import pretrained as pretrained
from common.models.pretrained import set_language as set_language
from common.models.small import SmallModelConfig as SmallModelConfig
from common.models.small import small_bart as small_bart
from common.models.small import small_qwen2 as small_qwen2
from common.models.storage import for_evaluation as for_evaluation
from common.models.storage import load as load
from common.models.storage import merged as merged
from common.models.storage import save as save
from common.models.storage import save_base as save_base
from common.models.storage import whole as whole
