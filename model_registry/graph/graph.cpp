#include "model_registry/graph/module.hpp"
