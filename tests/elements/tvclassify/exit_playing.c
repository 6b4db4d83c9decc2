/* Leaves the process by exit() while frames are in flight.
 * usage: exit_playing FRAMES: exits when that many frames have come out */
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
  if (argc < 2) return 2;
  left = atoi(argv[1]);
  loop = g_main_loop_new(NULL, FALSE);
  GError* error = NULL;
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc ! video/x-raw,format=NV12,width=320,height=240 ! "
      "tvclassify weights=Tiny_Weights.V1 ! fakesink name=out signal-handoffs=true",
      &error);
  if (!pipeline || error) return 3;
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  g_signal_connect(sink, "handoff", G_CALLBACK(count_frame), NULL);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_main_loop_run(loop);
  /* No NULL state, no unref: as a program that is told to end. */
  exit(0);
}
