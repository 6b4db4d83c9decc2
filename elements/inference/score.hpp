// A class and how sure the network is of it.
#pragma once

namespace tv::inference {

struct Score {
  int index = 0;          ///< class
  float probability = 0;  ///< 0..1, softmax
};

}  // namespace tv::inference
