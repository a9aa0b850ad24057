// Times ArborX's DBSCAN on a cloud: FILE_f64.npy EPS MIN_SAMPLES f32|f64 plain|dense REPEATS LABELS
// `plain` is FDBSCAN, `dense` FDBSCAN-DenseBox. Prints a line `fit_seconds=` for each fit and writes the labels as 32-bit integers.
#include <ArborX_DBSCAN.hpp>
#include <Kokkos_Core.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

struct Options {
  std::vector<double> rows;
  std::size_t n;
  double eps;
  int min_samples, repeats;
  bool dense;
  char const *labels;
};

template <int D, typename Real>
void run(Options const &o) {
  using Dbscan = ArborX::DBSCAN::Implementation;
  Kokkos::View<ArborX::Point<D, Real> *, Kokkos::HostSpace> points("points", o.n);
  for (std::size_t i = 0; i < o.n; ++i)
    for (int j = 0; j < D; ++j)
      points(i)[j] = static_cast<Real>(o.rows[i * D + j]);
  auto const how = ArborX::DBSCAN::Parameters().setImplementation(o.dense ? Dbscan::FDBSCAN_DenseBox : Dbscan::FDBSCAN);
  Kokkos::OpenMP space;
  for (int repeat = 0; repeat < o.repeats; ++repeat) {
    Kokkos::View<int *, Kokkos::HostSpace> labels("labels", 0);
    auto const start = std::chrono::steady_clock::now();
    ArborX::dbscan(space, points, o.eps, o.min_samples, labels, how);
    space.fence();
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
    std::printf("fit_seconds=%.6f\n", took.count());
    std::ofstream(o.labels, std::ios::binary).write(reinterpret_cast<char const *>(labels.data()), o.n * sizeof(int));
  }
}

int main(int argc, char **argv) {
  Kokkos::ScopeGuard guard(argc, argv);
  std::ifstream file(argv[1], std::ios::binary);
  std::string head(10, ' ');
  file.read(head.data(), 10);
  std::string shape(static_cast<unsigned char>(head[8]) + 256 * static_cast<unsigned char>(head[9]), ' ');
  file.read(shape.data(), shape.size());
  char *rest;
  Options o{};
  o.n = std::strtoull(shape.data() + shape.find("'shape': (") + 10, &rest, 10);
  int const d = std::atoi(rest + 1);
  o.rows.resize(o.n * d);
  file.read(reinterpret_cast<char *>(o.rows.data()), o.rows.size() * sizeof(double));
  o.eps = std::atof(argv[2]);
  o.min_samples = std::atoi(argv[3]);
  bool const single = std::string(argv[4]) == "f32";
  o.dense = std::string(argv[5]) == "dense";
  o.repeats = std::atoi(argv[6]);
  o.labels = argv[7];
  switch (d) {
    case 2: return single ? run<2, float>(o) : run<2, double>(o), 0;
    case 3: return single ? run<3, float>(o) : run<3, double>(o), 0;
    case 5: return single ? run<5, float>(o) : run<5, double>(o), 0;
    case 7: return single ? run<7, float>(o) : run<7, double>(o), 0;
    default: return 1;
  }
}
