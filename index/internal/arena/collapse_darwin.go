package arena

// madviseCollapse is MADV_NORMAL: there is nothing to ask for.
const madviseCollapse = 0
