#include "elements/common/log.hpp"

namespace tv {

GstDebugCategory* log_category() {
  static GstDebugCategory* const category = [] {
    GstDebugCategory* made = nullptr;
    GST_DEBUG_CATEGORY_INIT(made, "tvclassify", 0, "torchvision classification");
    return made;
  }();
  return category;
}

}  // namespace tv
