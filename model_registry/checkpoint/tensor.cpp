#include "model_registry/checkpoint/tensor.hpp"
