/* Reads tvclassify's labels in C, twice: from the buffers that leave it, and from the bus. No
 * library but GStreamer.
 *
 *   read_labels WEIGHTS [FILE]      FILE: any video that GStreamer decodes; without it, 30 frames
 * of a test picture
 */
#include <gst/gst.h>
#include <locale.h>

/* One line for each frame: time, status, best label. */
static GstPadProbeReturn read_buffer(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  (void)pad, (void)data;
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstCustomMeta* meta = gst_buffer_get_custom_meta(buffer, "TvClassifyMeta");
  if (!meta) return GST_PAD_PROBE_OK;
  const GstStructure* fields = gst_custom_meta_get_structure(meta);
  guint age = 0;
  gst_structure_get_uint(fields, "age", &age);
  GString* line = g_string_new(NULL);
  g_string_printf(line, "frame %" GST_TIME_FORMAT " %s age %u",
                  GST_TIME_ARGS(GST_BUFFER_PTS(buffer)), gst_structure_get_string(fields, "status"),
                  age);

  /* All labels, best first: an array of structures. */
  const GValue* labels = gst_structure_get_value(fields, "labels");
  for (guint i = 0; i < gst_value_array_get_size(labels); i++) {
    const GstStructure* label = gst_value_get_structure(gst_value_array_get_value(labels, i));
    gint index = 0;
    gdouble score = 0;
    gst_structure_get(label, "index", G_TYPE_INT, &index, "score", G_TYPE_DOUBLE, &score, NULL);
    g_string_append_printf(line, "%s %d %s %.1f%%", i == 0 ? ":" : ",", index,
                           gst_structure_get_string(label, "label"), 100 * score);
  }
  /* One call: this is the streaming thread, the main thread prints as well. */
  g_print("%s\n", line->str);
  g_string_free(line, TRUE);
  return GST_PAD_PROBE_OK;
}

/* Returns FALSE when the stream is over. */
static gboolean read_message(GstMessage* message, int* status) {
  const GstStructure* fields = gst_message_get_structure(message);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
      return FALSE;
    case GST_MESSAGE_ERROR: {
      GError* error = NULL;
      gchar* details = NULL; /* where and what: the path of a file that is not there */
      gst_message_parse_error(message, &error, &details);
      g_printerr("%s: %s\n", GST_MESSAGE_SRC_NAME(message), error->message);
      if (details) g_printerr("%s\n", details);
      g_free(details);
      g_error_free(error);
      *status = 1;
      return FALSE;
    }
    case GST_MESSAGE_ELEMENT:
      if (gst_structure_has_name(fields, "class-changed")) {
        gdouble score = 0;
        gst_structure_get_double(fields, "score", &score);
        g_print("now: %s %.1f%%\n", gst_structure_get_string(fields, "label"), 100 * score);
      }
      return TRUE;
    default:
      return TRUE;
  }
}

int main(int argc, char** argv) {
  setlocale(LC_ALL, ""); /* g_print() speaks the terminal's encoding */
  gst_init(&argc, &argv);
  if (argc < 2 || argc > 3) {
    g_printerr("usage: read_labels WEIGHTS [FILE]\n");
    return 2;
  }
  GError* error = NULL;
  GstElement* pipeline = gst_parse_launch(
      argc == 3
          ? "filesrc name=file ! decodebin ! videoconvert ! tvclassify name=classify top-k=3 ! "
            "fakesink sync=false"
          : "videotestsrc num-buffers=30 ! tvclassify name=classify top-k=3 ! fakesink sync=false",
      &error);
  if (!pipeline ||
      error) { /* an element that is not installed leaves a part behind, and an error */
    g_printerr("%s\n", error->message);
    return 1;
  }
  GstElement* classify = gst_bin_get_by_name(GST_BIN(pipeline), "classify");
  g_object_set(classify, "weights", argv[1], NULL);
  if (argc == 3) {
    GstElement* file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
    g_object_set(file, "location", argv[2], NULL);
    gst_object_unref(file);
  }
  GstPad* pad = gst_element_get_static_pad(classify, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_buffer, NULL, NULL);
  gst_object_unref(pad);
  gst_object_unref(classify);

  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  int status = 0;
  for (gboolean more = TRUE; more;) {
    GstMessage* message = gst_bus_timed_pop(bus, GST_CLOCK_TIME_NONE);
    more = read_message(message, &status);
    gst_message_unref(message);
  }
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return status;
}
