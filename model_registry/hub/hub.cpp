#include "model_registry/hub/hub.hpp"
