// A library that is no backend.
extern "C" int tv_unrelated() {
  return 0;
}
