// The element's type, for the plugin.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/// Registers "tvclassify" with a plugin.
GST_ELEMENT_REGISTER_DECLARE(tvclassify)

G_END_DECLS
