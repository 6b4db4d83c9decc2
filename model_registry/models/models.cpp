#include "model_registry/models/models.hpp"
