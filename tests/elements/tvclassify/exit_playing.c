/* Leaves the process by exit() while the model is loading or frames are in flight.
 * usage: exit_playing WEIGHTS FRAMES YIELDS
 * Exits when FRAMES frames have come out and the processor was given away YIELDS times after that;
 * with 0 frames, YIELDS times after the pipeline was started. */
#include <gst/gst.h>
#include <stdlib.h>

static gint left;
static GMainLoop* loop;

static void count_frame(GstElement* sink, GstBuffer* buffer, GstPad* pad, gpointer data) {
  (void)sink, (void)buffer, (void)pad, (void)data;
  if (g_atomic_int_dec_and_test(&left)) g_main_loop_quit(loop);
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc < 4) return 2;
  left = atoi(argv[2]);
  loop = g_main_loop_new(NULL, FALSE);
  gchar* line = g_strdup_printf(
      "videotestsrc ! video/x-raw,format=NV12,width=320,height=240 ! "
      "tvclassify weights=%s ! fakesink name=out signal-handoffs=true",
      argv[1]);
  GError* error = NULL;
  GstElement* pipeline = gst_parse_launch(line, &error);
  g_free(line);
  if (!pipeline || error) return 3;
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  g_signal_connect(sink, "handoff", G_CALLBACK(count_frame), NULL);
  const gboolean loading = left == 0;
  if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) return 4;
  if (!loading) g_main_loop_run(loop);
  for (int i = atoi(argv[3]); i > 0; --i) g_thread_yield();
  /* No NULL state, no unref: as a program that is told to end. */
  exit(0);
}
