// Owning wrappers: each GStreamer resource has a type that gives it back.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <string>
#include <string_view>

namespace tv {

/// Gives a resource back, each in its own way.
struct Release {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(gchar* text) const { g_free(text); }
};

using BufferRef = std::unique_ptr<GstBuffer, Release>;
using CapsRef = std::unique_ptr<GstCaps, Release>;
using EventRef = std::unique_ptr<GstEvent, Release>;
using ElementRef = std::unique_ptr<GstElement, Release>;
using MessageRef = std::unique_ptr<GstMessage, Release>;
using StructurePtr = std::unique_ptr<GstStructure, Release>;
using GCharPtr = std::unique_ptr<gchar, Release>;

/// A GValue that is cleared at the end of its scope.
class Value {
 public:
  explicit Value(GType type) { g_value_init(&value_, type); }
  ~Value() {
    if (G_IS_VALUE(&value_)) g_value_unset(&value_);
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  GValue* get() { return &value_; }

  /// Moves the value to the end of a GstValueArray and leaves this one empty.
  void append_to(GValue* array) {
    gst_value_array_append_and_take_value(array, &value_);
    value_ = G_VALUE_INIT;
  }
  /// Moves the value into a field and leaves this one empty.
  void move_to(GstStructure* structure, const char* field) {
    gst_structure_take_value(structure, field, &value_);
    value_ = G_VALUE_INIT;
  }

 private:
  GValue value_ = G_VALUE_INIT;
};

/// Sets a string field from a view, which needs no terminating zero. A field holds UTF-8 alone:
/// what is none (upstream chose it) becomes U+FFFD.
inline void set_string(GstStructure* structure, const char* field, std::string_view text) {
  Value value(G_TYPE_STRING);
  g_value_take_string(value.get(),
                      g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  value.move_to(structure, field);
}

/// The same for a text of which the process sees few different ones (names of elements, weights and
/// classes, never what a frame says): it is kept for ever, and no copy of the field copies it.
inline void set_name(GstStructure* structure, const char* field, const char* text) {
  Value value(G_TYPE_STRING);
  g_value_set_interned_string(value.get(), g_intern_string(text));
  value.move_to(structure, field);
}

}  // namespace tv
