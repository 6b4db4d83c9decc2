/* A library of the name of GStreamer's for CUDA, with none of its functions. */
int tv_nothing(void);
int tv_nothing(void) {
  return 0;
}
