# cmake -DOUT=... -DIN="a.cu;b.cu" -P embed_kernels.cmake: the sources as one C++ file with a function that finds
# them by name.
set(text "#include \"module.h\"\n\n#include <string_view>\n\nnamespace fovea::cuda {\n\n")
string(APPEND text "const char* kernelSource(std::string_view name) {\n")
foreach(path ${IN})
  get_filename_component(name ${path} NAME)
  file(READ ${path} source)
  string(APPEND text "  if (name == \"${name}\")\n    return R\"fovea(${source})fovea\";\n")
endforeach()
string(APPEND text "  return nullptr;\n}\n\n}  // namespace fovea::cuda\n")
file(WRITE ${OUT} "${text}")
