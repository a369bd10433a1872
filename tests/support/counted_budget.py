"""A budget that counts windows, so that the speed of a computer changes no result."""

from runtime.search.search import Budget


class Counted(Budget):
    """A budget of ``most`` windows a frame, whatever time they take."""

    most = 1

    def begin(self):
        super().begin()
        self.count = 0

    def tracked(self):
        super().tracked()
        self.count += 1

    def window(self, ms):
        super().window(ms)
        self.count += 1

    def fits(self):
        return self.count < self.most

    def allows(self, windows, each_ms):
        return self.count + windows <= self.most


class OneBatch(Counted):
    """A budget that the first batch of a frame uses up; before it nothing else fits."""

    def fits(self):
        return False
