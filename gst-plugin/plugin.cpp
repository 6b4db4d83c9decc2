// The plugin: one line an element.
#include <gst/gst.h>

#include "elements/tvclassify/element.hpp"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(tvclassify, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, torchvision,
                  "Networks of torchvision as GStreamer elements", plugin_init, TV_VERSION, "BSD",
                  PACKAGE,
                  "Unknown package origin")  // in place of an address: the project has none
