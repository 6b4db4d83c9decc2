#include "model_registry/registry/weights.hpp"
