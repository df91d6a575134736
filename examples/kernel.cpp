// How fast a point of the Mandelbrot set escapes, for a width × height grid of points.
#include <complex>

extern "C" void escape_times(double left, double top, double pixel, int width, int height,
                             int limit, int *out) {
    for (int row = 0; row < height; ++row) {
        for (int column = 0; column < width; ++column) {
            const std::complex<double> c(left + column * pixel, top - row * pixel);
            std::complex<double> z = 0;
            int n = 0;
            while (n < limit && std::norm(z) <= 4.0) {
                z = z * z + c;
                ++n;
            }
            *out++ = n;
        }
    }
}
