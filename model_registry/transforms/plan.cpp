#include "model_registry/transforms/plan.hpp"
