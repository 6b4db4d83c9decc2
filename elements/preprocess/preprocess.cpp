#include "elements/preprocess/preprocess.hpp"
