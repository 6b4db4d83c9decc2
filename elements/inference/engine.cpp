#include "elements/inference/engine.hpp"
