package arena

// madviseCollapse is MADV_COLLAPSE, of Linux 6.1 and later.
const madviseCollapse = 25
