# Debian packages only (scripts/install.sh names them); nothing is vendored or downloaded.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_program(NPM npm REQUIRED)

# The consensus engine, linked statically so that header and library are always one version.
# The version is checked by branch/replication/engine/core.c at compile time.
find_path(RAFT_INCLUDE_DIR raft.h REQUIRED)
find_library(RAFT_LIBRARY libraft.a REQUIRED)

add_library(raft_engine STATIC IMPORTED)
set_target_properties(raft_engine PROPERTIES
  IMPORTED_LOCATION ${RAFT_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${RAFT_INCLUDE_DIR})
