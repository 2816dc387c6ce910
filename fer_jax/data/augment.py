def augment(images, hyper, key, used): raise NotImplementedError
def mixup(images, labels, hyper, key): raise NotImplementedError
